// Package docker_test checks the files for Docker, and what docs/deploy.md shows.
package docker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"go.yaml.in/yaml/v3"

	_ "github.com/seed-338f6760/caddy-ccpayment"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var secretFile = regexp.MustCompile(`\{file\.(/run/[\w./]+/)(\w+)\}`)

// check adapts and provisions a Caddyfile, with files in the place of the secrets
// that it names, and returns their names.
func check(t *testing.T, text string) (secrets []string) {
	t.Helper()
	for _, name := range []string{"CCPAYMENT_APP_ID", "CCPAYMENT_APP_SECRET", "SHOP_TOKEN"} {
		t.Setenv(name, "x")
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	dir := t.TempDir()
	for _, match := range secretFile.FindAllStringSubmatch(text, -1) {
		secrets = append(secrets, match[2])
		if err := os.WriteFile(filepath.Join(dir, match[2]), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text = secretFile.ReplaceAllString(text, "{file."+dir+"/$2}")
	if strings.Contains(text, "{file./run") {
		t.Errorf("a secret that the test does not know: %s", text)
	}
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v\n%s", err, warnings, text)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

type compose struct {
	Services map[string]struct {
		Secrets, Volumes []string
		Grace            string `yaml:"stop_grace_period"`
		Healthcheck      struct{ Test []string }
		Deploy           struct{ Replicas int }
	}
	Secrets map[string]struct{ File string }
	Volumes map[string]any
}

// TestCompose: every file that is named is here, or is made by what the README
// says, and the Caddyfile's secrets are those that Caddy is given.
func TestCompose(t *testing.T) {
	var c compose
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	ours := c.Services["caddy"]
	secrets := check(t, read(t, "Caddyfile"))
	granted := slices.Sorted(slices.Values(ours.Secrets))
	if !slices.Equal(secrets, granted) {
		t.Errorf("the Caddyfile reads %v, and Caddy is given %v", secrets, granted)
	}
	for service, s := range c.Services {
		for _, secret := range s.Secrets {
			if file := c.Secrets[secret].File; file != "./secrets/"+secret || !strings.Contains(read(t, "README.md"), ">secrets/"+secret+"\n") {
				t.Errorf("%s: the secret %s is the file %q, and the README should make it", service, secret, file)
			}
		}
	}
	for _, volume := range ours.Volumes {
		source, _, _ := strings.Cut(volume, ":")
		if _, ok := c.Volumes[source]; ok {
			continue
		}
		if _, err := os.Stat(source); err != nil {
			t.Error(err)
		}
	}
	if !slices.Contains(ours.Volumes, "data:/data") || ours.Grace != "30s" || ours.Deploy.Replicas != 1 ||
		!slices.Equal(ours.Healthcheck.Test, []string{"CMD", "/usr/bin/caddy", "ccpayment", "status"}) {
		t.Errorf("Caddy's service is %+v", ours)
	}
}

// TestDockerfiles: both run the same command as the same user, and copy nothing
// but what is made for them.
func TestDockerfiles(t *testing.T) {
	lines := regexp.MustCompile(`(?m)^(USER|VOLUME|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT|CMD) .*$`)
	own, builder := read(t, "Dockerfile"), read(t, "Dockerfile.builder")
	if a, b := lines.FindAllString(own, -1), lines.FindAllString(builder, -1); len(a) != 6 || !sameLines(a, b) {
		t.Errorf("the Dockerfile has\n%q\nDockerfile.builder\n%q", a, b)
	}
	recipe := read(t, "../../Makefile")
	for _, match := range regexp.MustCompile(`(?m)^COPY (?:--\S+ )*(\S+) `).FindAllStringSubmatch(own, -1) {
		if !strings.Contains(recipe, "bin/image/"+match[1]) {
			t.Errorf("make image does not make %s", match[1])
		}
	}
	for _, match := range regexp.MustCompile(`(?m)dockerfile: (\S+)$`).FindAllStringSubmatch(read(t, "compose.yaml"), -1) {
		if _, err := os.Stat(match[1]); err != nil {
			t.Error(err)
		}
	}
}

func sameLines(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// blocks are what a page shows in one language.
func blocks(t *testing.T, page, language string) (texts []string) {
	t.Helper()
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(read(t, page), -1) {
		texts = append(texts, match[1])
	}
	return texts
}

const page = "../../docs/deploy.md"

func TestDeployCaddyfiles(t *testing.T) {
	texts := blocks(t, page, "caddyfile")
	if len(texts) < 6 {
		t.Errorf("%d Caddyfiles", len(texts))
	}
	for _, text := range texts {
		check(t, text)
		if strings.Contains(text, "trusted_proxies ") && !strings.Contains(text, "trusted_proxies_strict") {
			t.Errorf("it should be strict:\n%s", text)
		}
	}
}

// TestCase28_DeployKubernetes: no two pods, and what is mounted is a volume.
func TestCase28_DeployKubernetes(t *testing.T) {
	texts := blocks(t, page, "yaml")
	if len(texts) != 1 {
		t.Fatalf("%d manifests", len(texts))
	}
	decoder := yaml.NewDecoder(strings.NewReader(texts[0]))
	var kinds []string
	for {
		var object struct {
			Kind string
			Spec struct {
				Replicas int
				Strategy struct{ Type string }
				Template struct {
					Spec struct {
						Containers []struct {
							VolumeMounts []struct{ Name string } `yaml:"volumeMounts"`
						}
						Volumes []struct{ Name string }
					}
				}
			}
		}
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, object.Kind)
		if object.Kind != "Deployment" {
			continue
		}
		if object.Spec.Replicas != 1 || object.Spec.Strategy.Type != "Recreate" {
			t.Errorf("%d replicas, %s", object.Spec.Replicas, object.Spec.Strategy.Type)
		}
		pod := object.Spec.Template.Spec
		if len(pod.Volumes) != 3 || len(pod.Containers) != 1 || len(pod.Containers[0].VolumeMounts) != 3 {
			t.Fatalf("the pod is %+v", pod)
		}
		for i, mount := range pod.Containers[0].VolumeMounts {
			if mount != pod.Volumes[i] {
				t.Errorf("%s is mounted, the volume is %s", mount, pod.Volumes[i])
			}
		}
	}
	if !slices.Equal(kinds, []string{"PersistentVolumeClaim", "Deployment"}) {
		t.Errorf("the objects are %v", kinds)
	}
}

// TestDeploySystemd: systemd takes the unit, where there is one to ask, and the
// Caddyfile beside it reads the credentials that the unit loads.
func TestDeploySystemd(t *testing.T) {
	units := blocks(t, page, "ini")
	if len(units) != 1 {
		t.Fatalf("%d units", len(units))
	}
	unit := units[0]
	loaded := 0
	for _, text := range blocks(t, page, "caddyfile") {
		for _, match := range secretFile.FindAllStringSubmatch(text, -1) {
			if match[1] != "/run/credentials/caddy.service/" {
				continue
			}
			loaded++
			if !strings.Contains(unit, "\nLoadCredential="+match[2]+":") {
				t.Errorf("the unit does not load %s", match[2])
			}
		}
	}
	if loaded != strings.Count(unit, "\nLoadCredential=") {
		t.Errorf("the Caddyfile reads %d of\n%s", loaded, unit)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("no systemd to ask: the unit was only read")
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "caddy.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, "/usr/local/bin/caddy", self)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", file).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("caddy.service")) {
		t.Errorf("systemd says %v\n%s", err, out)
	}
}
