package searchengine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// The ports of programs: below those of outgoing connections, for a program that was killed has to find its own free
// again, and below 9299, above which the programs look for none.
const (
	firstPort = 9231
	lastPort  = 9289
)

// port is one that no other test binary of this machine takes.
type port struct {
	number int
	lock   *flock.Flock
}

func take(ctx context.Context) (port, error) {
	for number := firstPort; number <= lastPort; number++ {
		lock := flock.New(filepath.Join(os.TempDir(), fmt.Sprintf("tidemark-search-engine-%d.lock", number)), flock.SetPermissions(0o666))
		if locked, err := lock.TryLock(); err != nil || !locked {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", number))
		if err == nil {
			return port{number, lock}, l.Close()
		}
		_ = lock.Unlock()
	}
	return port{}, errors.New("no port from 9231 to 9289 is free")
}

// release gives it to whoever is next; the file stays, or two could have locks of two files of the same name.
func (p port) release() error {
	if p.lock == nil {
		return nil
	}
	return p.lock.Unlock()
}
