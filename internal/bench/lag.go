package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// The read models in Postgres, and what a desk needs besides to be caught up.
var (
	readModels = []string{"inbox", "timeline", "customers", "surveys"}
	allModels  = []string{"inbox", "timeline", "customers", "surveys", "routing", "workflow", "survey", "erasure"}
)

// lag is how many events the slowest of the models is behind, at most.
func (c *conn) lag(models []string) (uint64, error) {
	var answer struct {
		Items []struct {
			Name      string  `json:"name"`
			LagEvents *uint64 `json:"lag_events"` // null while it is not known
		} `json:"items"`
	}
	if err := c.call(http.MethodGet, "/v1/admin/lag", nil, &answer); err != nil {
		return 0, err
	}
	var most uint64
	for _, i := range answer.Items {
		if !slices.Contains(models, i.Name) {
			continue
		}
		if i.LagEvents == nil {
			return 0, fmt.Errorf("the lag of %s is not known yet", i.Name)
		}
		most = max(most, *i.LagEvents)
	}
	return most, nil
}

// pollLag asks for the lag again and again until done says that it is enough. The database may still be starting.
func pollLag(ctx context.Context, s *server, models []string, done func(lag uint64) bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var c *conn
	defer func() {
		if c != nil {
			_ = c.Close()
		}
	}()
	var last error
	for {
		if c == nil {
			var err error
			if c, err = dial(ctx, s); err != nil {
				return err
			}
		}
		lag, err := c.lag(models)
		switch {
		case err == nil && done(lag):
			return nil
		case err != nil:
			last = err
			_ = c.Close()
			c = nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the read models: %w", errors.Join(ctx.Err(), last))
		case err := <-s.exited:
			s.exited <- err
			return fmt.Errorf("the server under test ended: %w\n%s", err, s.out)
		case <-tick.C:
		}
	}
}

// migrated waits until the database answers.
func (s *server) migrated(ctx context.Context) error {
	return pollLag(ctx, s, nil, func(uint64) bool { return true })
}

// caughtUp waits until the models have everything, and tells people how it goes.
func caughtUp(ctx context.Context, o Options, s *server, models []string) error {
	said := time.Now()
	return pollLag(ctx, s, models, func(lag uint64) bool {
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			o.Say("%d events behind", lag)
		}
		return lag == 0
	})
}
