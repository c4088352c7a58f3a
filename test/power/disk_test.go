package power

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// inode is a file, whatever its name.
type inode struct {
	durable []byte
}

// change is an operation that is not known to be on the disk.
type change struct {
	operation
	file *inode
}

// disk is a folder as it may be after a power cut. A sync of a file keeps its bytes and
// size, and one of the folder its names. Until then any part of what was written may be
// missing, sector by sector. Names change in their order.
type disk struct {
	folder  string
	names   map[string]*inode // as the program sees them
	durable map[string]*inode
	pending []change
	// began is when the last change began that is on the disk.
	began time.Time
}

func newDisk(folder string) *disk {
	return &disk{folder: folder, names: make(map[string]*inode), durable: make(map[string]*inode)}
}

// do makes an operation.
func (d *disk) do(op operation) error {
	file := d.names[op.path]
	switch op.kind {
	case create:
		if file != nil {
			return nil // it was opened
		}
		file = &inode{}
		d.names[op.path] = file
	case rename:
		delete(d.names, op.path)
		d.names[op.to] = file
	case remove:
		delete(d.names, op.path)
	case sync:
		d.sync(op.path, file)
		return nil
	case write, truncate:
	}
	if file == nil {
		return fmt.Errorf("%s is not known", op.path)
	}
	d.pending = append(d.pending, change{operation: op, file: file})
	return nil
}

// isName reports whether the change is one of the folder's names.
func (c change) isName() bool { return c.kind == create || c.kind == rename || c.kind == remove }

func (d *disk) sync(path string, file *inode) {
	d.pending = slices.DeleteFunc(d.pending, func(c change) bool {
		switch {
		case path == d.folder && c.isName():
			c.name(d.durable)
		case file != nil && c.file == file && !c.isName():
			file.durable = c.apply(file.durable, nil)
		default:
			return false
		}
		d.began = c.began
		return true
	})
}

// name makes the change of a name.
func (c change) name(names map[string]*inode) {
	delete(names, c.path)
	switch c.kind {
	case create:
		names[c.path] = c.file
	case rename:
		names[c.to] = c.file
	}
}

// apply makes a change of bytes, of which only some sectors may get to the disk.
func (c change) apply(bytes []byte, isWritten func() bool) []byte {
	if c.kind == truncate {
		return resize(bytes, int(c.offset))
	}
	for at := 0; at < len(c.data); {
		end := min(len(c.data), at+sector-(int(c.offset)+at)%sector)
		if isWritten == nil || isWritten() {
			to := int(c.offset) + end
			bytes = resize(bytes, max(len(bytes), to))
			copy(bytes[int(c.offset)+at:to], c.data[at:end])
		}
		at = end
	}
	return bytes
}

func resize(bytes []byte, size int) []byte {
	if size <= len(bytes) {
		return bytes[:size]
	}
	return append(bytes, make([]byte, size-len(bytes))...)
}

// state is what the folder holds after a cut: bytes by the name of the file.
type state struct {
	files map[string][]byte
	// kept says which of the pending changes are there.
	kept string
	// began is when the last change began that is there.
	began time.Time
}

// fates say what becomes of the pending changes, one after the other: whether the change
// is made, and of a write whether the next sector is.
type fates func(i int) (isMade bool, isWritten func() bool)

// prefix keeps the first n changes.
func prefix(n int) fates {
	return func(i int) (bool, func() bool) { return i < n, nil }
}

// torn keeps the first n changes and some sectors of the next.
func torn(n int, random *rand.Rand) fates {
	return func(i int) (bool, func() bool) {
		if i == n {
			return true, func() bool { return random.IntN(2) == 0 }
		}
		return i < n, nil
	}
}

// scattered keeps any of the changes, and of some of them any sectors.
func scattered(random *rand.Rand) fates {
	share := random.Float64()
	return func(int) (bool, func() bool) {
		if random.IntN(4) == 0 {
			return true, func() bool { return random.Float64() < share }
		}
		return random.Float64() < share, nil
	}
}

// after returns the folder after a cut.
func (d *disk) after(f fates) state {
	names, bytes := maps.Clone(d.durable), make(map[*inode][]byte)
	s := state{began: d.began}
	areNames := true
	for i, c := range d.pending {
		isMade, isWritten := f(i)
		if c.isName() {
			// A journal keeps names in their order: after one that is missing there is no other.
			if areNames = areNames && isMade; !areNames {
				continue
			}
			c.name(names)
		} else if isMade {
			bytes[c.file] = c.apply(d.bytes(bytes, c.file), isWritten)
		}
		if isMade {
			s.kept += fmt.Sprintf(" %d", i)
			s.began = c.began
		}
	}
	s.files = make(map[string][]byte)
	for name, file := range names {
		s.files[filepath.Base(name)] = d.bytes(bytes, file)
	}
	return s
}

func (d *disk) bytes(changed map[*inode][]byte, file *inode) []byte {
	if b, is := changed[file]; is {
		return b
	}
	return slices.Clone(file.durable)
}
