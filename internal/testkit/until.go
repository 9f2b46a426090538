package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// patience is after how long a test gives up on something that must happen. Long runs have more of it.
var patience = func() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("TIDEMARK_TEST_PATIENCE")); err == nil && d > 0 {
		return d
	}
	return time.Minute
}()

// Until waits until what it names has come true.
func Until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	err := Eventually(tb.Context(), what, func() error {
		if !ok() {
			return errNot
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

var errNot = errors.New("not so")

// Eventually tries until it succeeds or patience ends, and then tells what came of the last try. It may be called in any
// goroutine, which Until may not: it fails the test. An error that Final made ends it at once.
func Eventually(ctx context.Context, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		if f, ok := errors.AsType[final](err); ok {
			return fmt.Errorf("%s: %w", what, f.error)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			said := fmt.Sprintf("after %s still not: %s", patience, what)
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				said = "the test ended before: " + what
			}
			return fmt.Errorf("%s; the last time: %w", said, err)
		}
	}
}

type final struct{ error }

// Final makes an error of a try after which no other can succeed.
func Final(err error) error { return final{err} }
