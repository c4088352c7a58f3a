package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

const (
	appID     = "bench-app"
	appSecret = "bench-secret"
	refusal   = "the signature does not match"
)

// answer is the response that every request of a measurement must get.
type answer struct {
	status string
	body   string
}

var (
	plainYes = answer{"200", appBody}
	yes      = answer{"200", "Success"}
	no       = answer{"401", refusal}
)

// requests are what is sent, ready as the bytes of HTTP/1.1.
type requests struct {
	bytes   [][]byte
	answer  answer
	endless bool // begin again at the end
}

// want returns the same requests with another expected response.
func (r requests) want(a answer) requests {
	r.answer = a
	return r
}

// run keeps the record ids of two runs apart, and records those of one.
var (
	run     = rand.Uint32()
	records int
)

// build makes n deliveries, each of an event of its own and signed now.
func build(n int, secret string) [][]byte {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	credentials := client.Credentials{AppID: appID, AppSecret: secret}
	all := make([][]byte, n)
	for i := range all {
		records++
		id := fmt.Sprintf("20250116%010d%014d", run, records)
		body := fmt.Appendf(nil, `{"type":"ApiDeposit","msg":{"recordId":%q,"orderId":"order-%d","coinId":1280,`+
			`"coinSymbol":"USDT","status":"Success","isFlaggedAsRisky":false}}`, id, records)
		all[i] = fmt.Appendf(nil, "POST /hook HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\nAppid: %s\r\nTimestamp: %s\r\nSign: %s\r\n\r\n%s",
			len(body), appID, timestamp, client.Sign(credentials, timestamp, body), body)
	}
	return all
}

// load sends requests over that many connections, spread over the addresses, until the
// time is over or there are no more, and returns how many had responses in what time.
func load(addrs []string, r requests, connections int, duration time.Duration) (answered int, elapsed time.Duration, err error) {
	senders := make([]*sender, connections)
	for i := range senders {
		connection, err := net.Dial("tcp", addrs[i%len(addrs)])
		if err != nil {
			return 0, 0, err
		}
		defer connection.Close()
		if err := connection.SetDeadline(time.Now().Add(duration + 30*time.Second)); err != nil {
			return 0, 0, err
		}
		senders[i] = &sender{connection: connection, answers: bufio.NewReader(connection), want: r.answer}
	}

	var next atomic.Int64
	var over atomic.Bool
	failures := make([]error, connections)
	var all sync.WaitGroup
	start := time.Now()
	timer := time.AfterFunc(duration, func() { over.Store(true) })
	defer timer.Stop()
	for i, s := range senders {
		all.Go(func() {
			failures[i] = s.send(r, &next, &over)
			if failures[i] != nil {
				over.Store(true)
			}
		})
	}
	all.Wait()
	elapsed = time.Since(start)

	for _, s := range senders {
		answered += s.answered
	}
	return answered, elapsed, errors.Join(failures...)
}

// sender is one keep-alive connection. It reads no more of HTTP than the
// responses here have, because it shares the processors with what is measured.
type sender struct {
	connection net.Conn
	answers    *bufio.Reader
	want       answer
	body       []byte
	answered   int
}

func (s *sender) send(r requests, next *atomic.Int64, over *atomic.Bool) error {
	for !over.Load() {
		i := int(next.Add(1) - 1)
		if i >= len(r.bytes) {
			if !r.endless {
				return nil
			}
			i %= len(r.bytes)
		}
		if _, err := s.connection.Write(r.bytes[i]); err != nil {
			return err
		}
		if err := s.read(); err != nil {
			return err
		}
		s.answered++
	}
	return nil
}

var (
	statusLine    = []byte("HTTP/1.1 ")
	contentLength = []byte("Content-Length:")
)

// read reads one response and compares it with the expected one.
func (s *sender) read() error {
	line, err := s.answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	status, ok := bytes.CutPrefix(line, statusLine)
	if !ok || len(status) < 3 {
		return fmt.Errorf("not an answer: %q", line)
	}
	got := string(status[:3])
	length := -1
	for {
		if line, err = s.answers.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength) {
			value := strings.TrimSpace(string(line[len(contentLength):]))
			if length, err = strconv.Atoi(value); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without Content-Length")
	}
	if cap(s.body) < length {
		s.body = make([]byte, length)
	}
	s.body = s.body[:length]
	if _, err := io.ReadFull(s.answers, s.body); err != nil {
		return err
	}
	if got != s.want.status || string(s.body) != s.want.body {
		return fmt.Errorf("the answer is %s %q, not %s %q", got, s.body, s.want.status, s.want.body)
	}
	return nil
}
