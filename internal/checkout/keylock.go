package checkout

import "sync"

// keylock is a set of mutexes by key. A mutex is kept while it has users. The zero
// value is ready to use.
type keylock struct {
	mu    sync.Mutex
	locks map[string]*keyMutex
}

type keyMutex struct {
	sync.Mutex
	users int // how many have taken it, and not released it yet
}

// take returns the key's mutex, unlocked, and a function that releases it after use.
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
	lock.users++
	return lock, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if lock.users--; lock.users == 0 {
			delete(k.locks, key)
		}
	}
}
