package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/client"
)

func ExampleVerify() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		err = client.Verify(r.Header, body, 5*time.Minute, "app-123", "secret-456")
		switch {
		case errors.Is(err, client.ErrHeaders):
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		case err != nil:
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		// Do the work here, and answer only when it is done.
		_, _ = io.WriteString(w, "Success")
	})

	post := func(secret string) {
		const body = `{"type":"ApiDeposit","msg":{"orderId":"order-123"}}`
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
		r.Header.Set("Appid", "app-123")
		r.Header.Set("Timestamp", timestamp)
		r.Header.Set("Sign", client.Sign(client.Credentials{AppID: "app-123", AppSecret: secret}, timestamp, []byte(body)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	post("secret-456")
	post("a guess")
	// Output:
	// 200 Success
	// 401 unauthorized
}
