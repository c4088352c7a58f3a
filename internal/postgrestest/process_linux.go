package postgrestest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// attributes make a program end with the tests, and run as a user who is not root,
// which PostgreSQL refuses to be.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	if uid, gid, ok := unprivileged(); ok {
		a.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return a
}

// unprivileged returns whom root starts programs as.
func unprivileged() (uid, gid uint32, ok bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			u, _ := strconv.ParseUint(found.Uid, 10, 32)
			g, _ := strconv.ParseUint(found.Gid, 10, 32)
			return uint32(u), uint32(g), true
		}
	}
	return 0, 0, false
}

// own gives the folder to whom the programs run as.
func own(dir string) error {
	uid, gid, ok := unprivileged()
	if !ok {
		return nil
	}
	return os.Chown(dir, int(uid), int(gid))
}
