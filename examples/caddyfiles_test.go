// Package examples checks the configurations that need more than Caddy to run.
package examples

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/seed-338f6760/caddy-ccpayment"
	_ "github.com/seed-338f6760/caddy-ccpayment/store/postgres"
)

func TestCaddyfiles(t *testing.T) {
	for _, file := range []string{"wordpress/Caddyfile", "nextjs/Caddyfile", "cluster/Caddyfile", "cluster/balancer.Caddyfile"} {
		t.Run(file, func(t *testing.T) {
			for _, name := range []string{"CCPAYMENT_APP_ID", "CCPAYMENT_APP_SECRET", "SHOP_TOKEN"} {
				t.Setenv(name, "x")
			}
			t.Setenv("DATABASE_URL", "postgres://shop:x@localhost/shop")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": file})
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			var config caddy.Config
			if err := json.Unmarshal(adapted, &config); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(&config); err != nil {
				t.Error(err)
			}
		})
	}
}
