package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// largestAnswer is how many bytes of an API's answer are read.
const largestAnswer = 1 << 20

// Do makes one try of an API call for a driver, and returns the body of a 200 answer,
// up to 1 MiB. It keeps to the options' timeout, follows no redirect, which could take
// a secret elsewhere, and tells the observer; endpoint is its label. The error wraps
// [ErrNotFound] where the answer is 404.
func (o OpenOptions) Do(ctx context.Context, endpoint string, request *http.Request) (body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	call := Call{Endpoint: endpoint, Code: "network"}
	begun := time.Now()
	defer func() {
		if call.Took = time.Since(begun); o.Observe != nil {
			o.Observe(call)
		}
	}()
	var connections http.Client
	if o.HTTP != nil {
		connections = *o.HTTP // a copy: what others use may follow redirects
	}
	connections.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := connections.Do(request.WithContext(ctx)) //nolint:gosec // the driver says where
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		call.Code = "timeout"
	case errors.Is(err, context.Canceled):
		call.Code = "canceled"
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	call.Code = "http_" + strconv.Itoa(response.StatusCode)
	body, err = io.ReadAll(io.LimitReader(response.Body, largestAnswer+1))
	switch {
	case response.StatusCode == http.StatusNotFound:
		return nil, ErrNotFound
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the API answered %s", response.Status)
	case err == nil && len(body) > largestAnswer:
		err = fmt.Errorf("the API's answer is larger than %d bytes", largestAnswer)
	}
	return body, err
}
