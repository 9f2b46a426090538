package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/internal/fault"
)

// RebuildState is where a rebuild stands.
type RebuildState string

// The states of a rebuild. From requested it goes on by itself until it is ready; then it follows the log and waits to
// be asked.
const (
	RebuildRequested RebuildState = "requested"
	RebuildBuilding  RebuildState = "building"
	RebuildReady     RebuildState = "ready"     // as fresh as the running one
	RebuildCompared  RebuildState = "compared"  // Equal and Detail say how
	RebuildSwitched  RebuildState = "switched"  // readers see the new one; the old one is still there
	RebuildDropped   RebuildState = "dropped"   // the old one is gone
	RebuildCancelled RebuildState = "cancelled" // the new one is gone
	RebuildFailed    RebuildState = "failed"    // Detail says why; the running one is untouched
)

// over tells states after which another rebuild may begin.
func (s RebuildState) over() bool {
	switch s {
	case RebuildSwitched, RebuildDropped, RebuildCancelled, RebuildFailed:
		return true
	default:
		return false
	}
}

// What can be asked of a rebuild.
const (
	AskCompare = "compare"
	AskSwitch  = "switch"
	AskDropOld = "drop"
	AskCancel  = "cancel"
)

// Rebuild is a read model that is built anew beside the running one.
type Rebuild struct {
	Projection string        `json:"projection"`
	State      RebuildState  `json:"state"`
	Asked      string        `json:"asked,omitempty"` // what it was asked and has not done yet
	Detail     string        `json:"detail,omitempty"`
	Equal      *bool         `json:"equal,omitempty"` // of the last comparison
	Done       uint64        `json:"done"`            // sequences of the log, of Total
	Total      uint64        `json:"total"`
	StartedAt  time.Time     `json:"started_at"`
	UpdatedAt  time.Time     `json:"updated_at"`
	Rate       float64       `json:"rate"` // sequences a second
	ETA        time.Duration `json:"eta"`  // until it is ready; zero when that is not known
}

// Errors of who asks for the wrong thing.
var (
	ErrNoRebuild      = fault.New(fault.NotFound, "no_rebuild", "no rebuild of this projection is known")
	ErrRebuildRunning = fault.New(fault.Conflict, "rebuild_running", "this projection is being rebuilt already")
	ErrRebuildState   = fault.New(fault.Conflict, "rebuild_state", "the rebuild is not in a state for this")
)

// RequestRebuild asks for a rebuild. Some process that runs the projection's target does it; FindRebuild tells how far it
// is.
func RequestRebuild(ctx context.Context, pool *pgxpool.Pool, name string) error {
	tag, err := pool.Exec(ctx, `INSERT INTO tidemark.rebuilds (projection, state) VALUES ($1, 'requested')
		ON CONFLICT (projection) DO UPDATE SET state = 'requested', asked = '', detail = '', equal = NULL, done = 0, total = 0,
			started_at = now(), updated_at = now()
		WHERE rebuilds.state IN ('switched', 'dropped', 'cancelled', 'failed')`, name)
	if err != nil {
		return fmt.Errorf("request a rebuild of %s: %w", name, err)
	}
	if tag.RowsAffected() == 0 {
		return ErrRebuildRunning.WithHint("cancel it first, or go on with it: tidemark projection compare %s", name)
	}
	return nil
}

// AskRebuild asks a rebuild to compare, switch, drop or cancel. It fails when the rebuild is not where it could. One that
// nobody has begun is cancelled at once: perhaps nobody is there who would.
func AskRebuild(ctx context.Context, pool *pgxpool.Pool, name, what string) error {
	var from []string
	switch what {
	case AskCompare, AskSwitch:
		from = []string{string(RebuildReady), string(RebuildCompared)}
	case AskDropOld:
		from = []string{string(RebuildSwitched)}
	case AskCancel:
		from = []string{string(RebuildRequested), string(RebuildBuilding), string(RebuildReady), string(RebuildCompared)}
	default:
		return fault.Newf(fault.Invalid, "rebuild_ask", "a rebuild cannot be asked to %q", what)
	}
	tag, err := pool.Exec(ctx, `UPDATE tidemark.rebuilds SET updated_at = now(),
			asked = CASE WHEN state = 'requested' THEN '' ELSE $2 END, state = CASE WHEN state = 'requested' THEN 'cancelled' ELSE state END
		WHERE projection = $1 AND state = ANY($3)`, name, what, from)
	if err != nil {
		return fmt.Errorf("ask the rebuild of %s to %s: %w", name, what, err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	r, err := FindRebuild(ctx, pool, name)
	if err != nil {
		return err
	}
	return ErrRebuildState.WithHint("it is %s, and can %s when it is one of %v", r.State, what, from)
}

// FindRebuild tells how far the newest rebuild of a projection is.
func FindRebuild(ctx context.Context, pool *pgxpool.Pool, name string) (Rebuild, error) {
	return findRebuild(ctx, pool, name)
}

func findRebuild(ctx context.Context, q querier, name string) (Rebuild, error) {
	all, err := listRebuilds(ctx, q, name)
	if err != nil {
		return Rebuild{}, err
	}
	if len(all) == 0 {
		return Rebuild{}, ErrNoRebuild.WithHint("tidemark projection rebuild %s begins one", name)
	}
	return all[0], nil
}

// ListRebuilds lists the newest rebuild of every projection that ever had one.
func ListRebuilds(ctx context.Context, pool *pgxpool.Pool) ([]Rebuild, error) {
	return listRebuilds(ctx, pool, "")
}

func listRebuilds(ctx context.Context, q querier, name string) ([]Rebuild, error) {
	rows, err := q.Query(ctx, `SELECT projection, state, asked, detail, equal, done, total, started_at, updated_at
		FROM tidemark.rebuilds WHERE $1 IN ('', projection) ORDER BY projection`, name)
	if err != nil {
		return nil, fmt.Errorf("read rebuilds: %w", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Rebuild, err error) {
		var done, total int64
		err = row.Scan(&r.Projection, &r.State, &r.Asked, &r.Detail, &r.Equal, &done, &total, &r.StartedAt, &r.UpdatedAt)
		r.Done, r.Total = unsigned(done), unsigned(total)
		if took := r.UpdatedAt.Sub(r.StartedAt).Seconds(); took > 0 && done > 0 {
			r.Rate = float64(done) / took
			if r.State == RebuildBuilding && total > done {
				r.ETA = time.Duration(float64(total-done) / r.Rate * float64(time.Second))
			}
		}
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read rebuilds: %w", err)
	}
	return out, nil
}
