package secrets

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
)

// largest is how large a file may be: far more than a secret is.
const largest = 1 << 20

// ReadFile returns what a file holds. What is not a regular file is an error: reading a
// pipe waits for whoever writes to it, and takes away what another was to read.
func ReadFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largest+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) == 0:
		return nil, fmt.Errorf("%s is empty", name)
	case len(text) > largest:
		return nil, fmt.Errorf("%s is larger than a secret is", name)
	}
	return text, nil
}

// contents are what files held when they were looked at, by their names.
type contents map[string]content

// content is what a file held, or why it cannot be read.
type content struct {
	text []byte
	err  error
}

func read(files []string) contents {
	c := make(contents, len(files))
	for _, name := range files {
		text, err := ReadFile(name)
		c[name] = content{text, err}
	}
	return c
}

// file returns what a file held. One that was not looked at is read now.
func (c contents) file(name string) ([]byte, error) {
	if content, ok := c[name]; ok {
		return content.text, content.err
	}
	return ReadFile(name)
}

func (c contents) equal(other contents) bool { return maps.EqualFunc(c, other, content.equal) }

func (c content) equal(other content) bool {
	return bytes.Equal(c.text, other.text) && fmt.Sprint(c.err) == fmt.Sprint(other.err)
}
