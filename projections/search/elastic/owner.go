package elastic

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/tidemark-desk/tidemark/events"
)

// Owner is who a process with this data directory is, also when it is started again after it was killed: it has the indexes
// back at once, and nobody waits for what it left to run out. It is empty while another process has the same directory. The
// lock is held until it is given back, or the process ends.
func Owner(dir string) (id string, lock *flock.Flock, err error) {
	path := filepath.Join(dir, "search.owner")
	lock = flock.New(path + ".lock")
	locked, err := lock.TryLock()
	if err != nil {
		return "", nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !locked {
		return "", lock, nil
	}
	raw, err := os.ReadFile(path)
	if id = strings.TrimSpace(string(raw)); err == nil && events.ValidID(id) {
		return id, lock, nil
	}
	id = events.NewID()
	if err := os.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
		return "", nil, errors.Join(fmt.Errorf("write %s: %w", path, err), lock.Unlock())
	}
	return id, lock, nil
}
