package main

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

func (b *bench) signed(n int) requests {
	return requests{bytes: build(n, appSecret), answer: yes}
}

// fresh returns events that nobody has seen: more than one measurement takes.
func (b *bench) fresh(*server) (requests, error) {
	const spare = 1.5
	return b.signed(int(b.rate * b.duration.Seconds() * spare)), nil
}

const repeated = 5000

// copies delivers events and returns the same requests again.
func (b *bench) copies(s *server) (requests, error) {
	r := b.signed(repeated)
	if _, _, err := load([]string{s.webhook}, r, b.connections, time.Minute); err != nil {
		return r, fmt.Errorf("delivering the originals: %w", err)
	}
	r.endless = true
	return r, nil
}

func (b *bench) forged(*server) (requests, error) {
	return requests{bytes: build(repeated, "a guess"), answer: no, endless: true}, nil
}

// checkouts ask for a checkout that is there.
func (b *bench) checkouts(s *server) (requests, error) {
	var body string
	for range 2 { // the first makes it
		response, err := http.Post("http://"+s.checkout+"/buy", "", nil)
		if err != nil {
			return requests{}, err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return requests{}, err
		}
		body = string(text)
	}
	return requests{bytes: plainRequests("POST /buy"), answer: answer{"200", body}, endless: true}, nil
}

// pages ask for a page of the app's without a checkout.
func (b *bench) pages(*server) (requests, error) {
	return requests{bytes: plainRequests("GET /page"), answer: plainYes, endless: true}, nil
}

func plainRequests(line string) [][]byte {
	return [][]byte{[]byte(line + " HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n")}
}
