package hosted

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/internal/palette"
)

// AssetsPath is where the pages look for their CSS, script and icon.
const AssetsPath = "/assets/"

//go:embed assets
var assetFiles embed.FS

var assets = loadAssets()

// assetSet holds the files under names that change with their content.
type assetSet struct {
	// names maps page.css to page.0123456789abcdef.css.
	names map[string]string
	files map[string][]byte
}

func loadAssets() assetSet {
	set := assetSet{names: make(map[string]string), files: make(map[string][]byte)}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic(fmt.Sprintf("hosted: the embedded assets: %v", err))
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(assetFiles, "assets/"+entry.Name())
		if err != nil {
			panic(fmt.Sprintf("hosted: the embedded assets: %v", err))
		}
		if path.Ext(entry.Name()) == ".css" {
			content = slices.Concat(palette.CSS, content)
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:8]) + ext
		set.names[entry.Name()] = name
		set.files[name] = content
	}
	return set
}

// mediaTypes are fixed here: the machine's own table may say otherwise.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// Assets serves the files that pages refer to, at [AssetsPath]. Their names
// change with their content, so browsers keep them for a year. Other names are
// answered with 404, other methods than GET and HEAD with 405.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, AssetsPath)
		content, known := assets.files[name]
		if !known {
			http.Error(w, "no such file", http.StatusNotFound)
			return
		}
		h.Set("Content-Type", mediaTypes[path.Ext(name)])
		h.Set("Content-Security-Policy", "default-src 'none'")
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}
