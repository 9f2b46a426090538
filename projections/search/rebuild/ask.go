package rebuild

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/run"
	"github.com/tidemark-desk/tidemark/projections/search"
)

// asks are what can be asked for.
var asks = []string{
	search.AskRebuild, search.AskPause, search.AskResume, search.AskThrottle, search.AskVerify, search.AskSwitch, search.AskRollback,
	search.AskDrop, search.AskCancel,
}

// Ask does what an operator asks, or has it begun. One thing is asked at a time.
func (j *Job) Ask(ctx context.Context, r search.RebuildRequest) (search.RebuildStatus, error) {
	select {
	case <-j.ready:
	case <-ctx.Done():
		return search.RebuildStatus{}, ctx.Err()
	}
	if r.Ask != search.AskStatus {
		if err := j.step(ctx, r); err != nil {
			return search.RebuildStatus{}, err
		}
	}
	return j.Status(ctx)
}

func (j *Job) step(ctx context.Context, r search.RebuildRequest) error {
	if !slices.Contains(asks, r.Ask) {
		return fault.Newf(fault.Invalid, "request_invalid", "asked to %q", r.Ask)
	}
	j.acting.Lock()
	defer j.acting.Unlock()
	if r.Rate < 0 || r.Sample < 0 {
		return fault.New(fault.Invalid, "request_invalid", "a rate and a sample are not negative")
	}
	now := j.current()
	switch r.Ask {
	case search.AskRebuild:
		return j.begin(ctx, r)
	case search.AskRollback:
		return j.rollback(ctx)
	case search.AskDrop:
		j.halt()
		defer run.Signal(j.asked)
		return j.set.Drop(ctx, search.RolePrevious)
	}
	if now == nil {
		return errNone
	}
	switch r.Ask {
	case search.AskPause:
		if now.State != search.RebuildBuilding {
			return errState("pause", now.State)
		}
		j.halt()
		return j.enter(ctx, search.RebuildPaused, "")
	case search.AskResume:
		if now.State != search.RebuildPaused && now.State != search.RebuildFailed {
			return errState("go on", now.State)
		}
		return j.resume(ctx, now)
	case search.AskThrottle:
		j.mu.Lock()
		j.now.Limit = r.Rate
		j.mu.Unlock()
		j.pace.limit(r.Rate)
		return j.keep(ctx)
	case search.AskVerify:
		j.mu.Lock()
		j.sample = r.Sample
		j.mu.Unlock()
		return j.again(ctx, now)
	case search.AskSwitch:
		if now.State != search.RebuildVerified {
			return errState("switch", now.State)
		}
		return j.serve(ctx)
	}
	return j.giveUp(ctx)
}

// begin makes the new index; the rest goes on by itself.
func (j *Job) begin(ctx context.Context, r search.RebuildRequest) error {
	if err := j.set.Begin(ctx); err != nil {
		return err
	}
	j.mu.Lock()
	j.now = j.fresh(r)
	j.mu.Unlock()
	j.pace.limit(r.Rate)
	if err := j.keep(ctx); err != nil {
		return err
	}
	run.Signal(j.asked)
	return nil
}

func (j *Job) resume(ctx context.Context, now *search.RebuildProgress) error {
	state := search.RebuildBuilding
	if now.Total > 0 && now.Done >= now.Total {
		state = search.RebuildVerifying
	}
	if err := j.set.Failed(search.RoleBuilding); err != nil {
		return err
	}
	if err := j.enter(ctx, state, ""); err != nil {
		return err
	}
	run.Signal(j.asked)
	return nil
}

// again verifies what was built.
func (j *Job) again(ctx context.Context, now *search.RebuildProgress) error {
	switch now.State {
	case search.RebuildVerified, search.RebuildDiffers, search.RebuildBuilt, search.RebuildFailed:
	case search.RebuildVerifying:
		return nil
	case search.RebuildBuilding, search.RebuildPaused:
		return errState("be verified", now.State)
	}
	if now.Done < now.Total {
		return errState("be verified", now.State)
	}
	if err := j.enter(ctx, search.RebuildVerifying, ""); err != nil {
		return err
	}
	run.Signal(j.asked)
	return nil
}

// rollback has the previous index serve.
func (j *Job) rollback(ctx context.Context) error {
	j.mu.Lock()
	why := j.previous
	j.mu.Unlock()
	switch {
	case !j.set.Has(search.RolePrevious):
		return fault.New(fault.Conflict, "rebuild_state", "there is no previous index").WithHint("it was dropped, or there never was one")
	case why != "":
		return fault.Newf(fault.Conflict, "rebuild_state", "the previous index cannot serve yet: %s", why).WithHint("try again in a moment")
	}
	return j.set.Switch(ctx, search.RolePrevious)
}

// giveUp removes what was built.
func (j *Job) giveUp(ctx context.Context) error {
	j.halt()
	if err := j.set.Drop(ctx, search.RoleBuilding); err != nil {
		return fmt.Errorf("give the rebuild up: %w", err)
	}
	j.mu.Lock()
	j.now = nil
	j.mu.Unlock()
	return nil
}

// halt ends what is under way, and waits until it has.
func (j *Job) halt() {
	j.mu.Lock()
	cancel, done := j.cancel, j.done
	j.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}
