package checkout

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"runtime"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// announcing returns a zstd frame of a text, whose header asks for a window of 2^bits bytes.
func announcing(bits int, text string) []byte {
	frame := binary.LittleEndian.AppendUint32(nil, 0xFD2FB528)
	frame = append(frame, 0, byte(bits-10)<<3)
	block := uint32(len(text))<<3 | 1 // raw, the last
	frame = append(frame, byte(block), byte(block>>8), byte(block>>16))
	return append(frame, text...)
}

// TestSmallResponseAllocatesLittle: what a few encoded bytes announce is not believed.
func TestSmallResponseAllocatesLittle(t *testing.T) {
	const text = `{"order_id":"o","price":"10"}`
	var streamed bytes.Buffer
	encoder, err := zstd.NewWriter(&streamed, zstd.WithWindowSize(largestWindow))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = encoder.Write([]byte(text))
	_ = encoder.Flush() // so that the size is not known ahead
	_ = encoder.Close()
	var widest bytes.Buffer
	writer := brotli.NewWriterOptions(&widest, brotli.WriterOptions{Quality: 11, LGWin: 24})
	_, _ = writer.Write([]byte(text))
	_ = writer.Close()

	for name, test := range map[string]struct {
		encoding string
		body     []byte
		reads    bool
	}{
		"zstd, 1 MiB":        {"zstd", announcing(20, text), true},
		"zstd, 8 MiB":        {"zstd", announcing(23, text), true},
		"zstd, 16 MiB":       {"zstd", announcing(24, text), false},
		"zstd, 512 MiB":      {"zstd", announcing(29, text), false},
		"zstd, no text":      {"zstd", announcing(29, "")[:6], false},
		"zstd as it is sent": {"zstd", streamed.Bytes(), true},
		"brotli, widest":     {"br", widest.Bytes(), true},
		"brotli, announcing": {"br", []byte{0x0f, 0xff, 0xff, 0xff, 0x0f}, false},
		"gzip, announcing":   {"gzip", []byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, false},
	} {
		header := http.Header{"Content-Encoding": {test.encoding}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		request, err := FromResponse(header, test.body, OwnPaths())
		runtime.ReadMemStats(&after)
		took := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes take %d KiB, %v", name, len(test.body), took>>10, err)
		if reads := err == nil && request.OrderID == "o"; reads != test.reads {
			t.Errorf("%s: read %t, %v", name, reads, err)
		}
		if took > 2*largestWindow {
			t.Errorf("%s: %d bytes take %d MiB", name, len(test.body), took>>20)
		}
	}
}
