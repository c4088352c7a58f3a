package reload

import (
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// lasting is the core of a logger that outlives configurations: it writes where the one logs
// that is in it. One that has ended may have logged to files that nobody reads any more.
type lasting struct {
	current *atomic.Pointer[zap.Logger]
	fields  []zapcore.Field
}

func (l lasting) core() zapcore.Core {
	core := l.current.Load().Core()
	if len(l.fields) > 0 {
		core = core.With(l.fields)
	}
	return core
}

// Enabled implements zapcore.LevelEnabler.
func (l lasting) Enabled(level zapcore.Level) bool { return l.core().Enabled(level) }

// With implements zapcore.Core.
func (l lasting) With(fields []zapcore.Field) zapcore.Core {
	return lasting{l.current, append(slices.Clip(l.fields), fields...)}
}

// Check implements zapcore.Core. What it adds to the entry is the core that writes, so that
// an entry which is checked is written by the same configuration.
func (l lasting) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return l.core().Check(e, checked)
}

// Write implements zapcore.Core.
func (l lasting) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return l.core().Write(e, fields)
}

// Sync implements zapcore.Core.
func (l lasting) Sync() error { return l.core().Sync() }

// logTo has what outlives the configurations log where the latest of them does that is ready;
// where none is, as before. The caller holds the mutex.
func (s *Shared) logTo() {
	for _, h := range slices.Backward(s.queue) {
		if s.holders[h] {
			s.current.Store(h.Logger)
			return
		}
	}
}
