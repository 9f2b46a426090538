package surveys

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/projections/internal/pgtext"
	"github.com/tidemark-desk/tidemark/projections/surveys/db"
)

// Reader reads the surveys. The pool's search_path has their schema.
type Reader struct{ pool *pgxpool.Pool }

// NewReader makes a reader.
func NewReader(pool *pgxpool.Pool) *Reader { return &Reader{pool: pool} }

// Satisfaction reports what the visitors of an org said. It costs a look at each survey of the window.
func (r *Reader) Satisfaction(ctx context.Context, org string, q Query) (Report, error) {
	p := db.SatisfactionParams{
		GroupBy: q.GroupBy, Timezone: q.Timezone, Satisfied: events.SatisfiedScore, Org: pgtext.Clean(org),
		Since: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	if !q.From.IsZero() {
		p.Since = q.From
	}
	if !q.To.IsZero() {
		p.Until = q.To
	}
	rows, err := db.New(r.pool).Satisfaction(ctx, p)
	if err != nil {
		return Report{}, fmt.Errorf("report on satisfaction: %w", err)
	}
	out := Report{Groups: make([]Group, 0, len(rows))}
	for _, row := range rows {
		g := Group(row)
		out.Groups = append(out.Groups, g)
		out.Total.add(g)
	}
	return out, nil
}

func (g *Group) add(o Group) {
	g.Asked += o.Asked
	g.Waiting += o.Waiting
	g.Answered += o.Answered
	g.Expired += o.Expired
	g.Excused += o.Excused
	g.Satisfied += o.Satisfied
	g.Points += o.Points
}
