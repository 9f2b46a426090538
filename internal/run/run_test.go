package run_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark-desk/tidemark/internal/run"
)

func TestAFailingPartIsStartedAgainAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := run.NewGroup(t.Context(), slog.New(slog.DiscardHandler))
		var starts atomic.Int32
		g.Go("steady", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		g.Go("failing", func(ctx context.Context) error {
			switch starts.Add(1) {
			case 1:
				return errors.New("no database")
			case 2:
				panic("a mistake")
			}
			<-ctx.Done()
			return nil
		})
		synctest.Wait()
		status := g.Status()
		require.True(t, status[0].Running)
		require.False(t, status[1].Running)
		require.Equal(t, "no database", status[1].Error)

		<-time.After(5 * time.Second) // the clock of the bubble: nothing waits
		synctest.Wait()
		status = g.Status()
		require.Equal(t, 2, status[1].Restarts)
		require.True(t, status[1].Running)
		require.Contains(t, status[1].Error, "a mistake", "a failure stays visible until the part is calm")

		<-time.After(time.Minute) // the clock of the bubble: nothing waits
		require.Empty(t, g.Status()[1].Error)
		require.NoError(t, g.Stop(t.Context()))
		for _, s := range g.Status() {
			require.False(t, s.Running)
		}
	})
}

func TestAPartThatIsDoneIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := run.NewGroup(t.Context(), slog.New(slog.DiscardHandler))
		var runs atomic.Int32
		g.Go("once", func(context.Context) error { runs.Add(1); return nil })
		<-time.After(time.Minute) // the clock of the bubble: nothing waits
		require.EqualValues(t, 1, runs.Load())
		require.NoError(t, g.Stop(t.Context()))
	})
}

func TestStopNamesThePartThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := run.NewGroup(t.Context(), slog.New(slog.DiscardHandler))
		g.Go("stubborn", func(context.Context) error { <-release; return nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorContains(t, g.Stop(ctx), "stubborn")
		close(release)
	})
}

// TestSignal: it waits for nobody, and is not lost on who comes to waiting later.
func TestSignal(t *testing.T) {
	t.Parallel()
	c := make(chan struct{}, 1)
	run.Signal(c)
	run.Signal(c)
	<-c
	select {
	case <-c:
		t.Error("the second stood for itself")
	default:
	}
}
