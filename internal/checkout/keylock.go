package checkout

import "sync"

// keylock is a set of mutexes by key. Each lasts as long as somebody wants it.
// The zero value is ready to use.
type keylock struct {
	mu    sync.Mutex
	locks map[string]*keyMutex
}

type keyMutex struct {
	sync.Mutex
	wanted int // by how many
}

// take returns the key's mutex, unlocked, and a function that gives it back.
func (k *keylock) take(key string) (lock *keyMutex, release func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks == nil {
		k.locks = make(map[string]*keyMutex)
	}
	lock = k.locks[key]
	if lock == nil {
		lock = new(keyMutex)
		k.locks[key] = lock
	}
	lock.wanted++
	return lock, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if lock.wanted--; lock.wanted == 0 {
			delete(k.locks, key)
		}
	}
}
