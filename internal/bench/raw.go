package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-desk/tidemark/events"
	"github.com/tidemark-desk/tidemark/internal/eventlog"
)

// rawLog is a log of this process, for measuring what JetStream can do by itself at the same durability.
type rawLog struct {
	log *eventlog.Log
	js  jetstream.JetStream
}

func openRaw(ctx context.Context, o Options, dir string) (*rawLog, error) {
	l, err := eventlog.Open(ctx, eventlog.Config{Dir: filepath.Join(dir, "raw"), Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(l.Conn())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	// A stream of its own: Tidemark's is also republished to whoever listens, and that would count against the limit.
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "RAW", Subjects: []string{"raw.>"}, Storage: jetstream.FileStorage, Compression: jetstream.S2Compression,
		AllowDirect: true, AllowAtomicPublish: true,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the raw stream: %w", err), l.Close())
	}
	return &rawLog{l, js}, nil
}

// message is an event as Tidemark would store it, on one of many subjects.
func rawMessage(n int, text string) (*nats.Msg, error) {
	a := events.Aggregate{Org: "raw", Kind: events.KindConversation, ID: "c" + strconv.Itoa(n)}
	header, body, err := events.Encode(a, events.Draft{
		Metadata: events.Metadata{
			ID: events.NewID(), Command: events.NewID(), Digest: "0123456789abcdefghijkl", Time: time.Now(),
			Actor: events.Actor{Type: events.ActorAgent, ID: events.NewID()}, Revision: 1,
		},
		Event: events.ConversationMessageReceived{MessageID: events.NewID(), CustomerID: events.NewID(), Text: text},
	})
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: "raw." + a.Subject(eventlog.DefaultPartitions), Header: header, Data: body}, nil
}

// publish is the raw limit of accepting: plain publishes, each synced, one after the other by each caller.
func (r *rawLog) publish(ctx context.Context, callers int, d time.Duration, text string) (load, error) {
	return drive(ctx, callers, d, func(_ context.Context, n int) (func(context.Context) error, func(), error) {
		m, err := rawMessage(n, text)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context) error {
			_, err := r.js.PublishMsg(ctx, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
			return err
		}, func() {}, nil
	})
}

// batches is the raw limit of importing: atomic batches of a size, synced once each, one after the other.
func (r *rawLog) batches(ctx context.Context, size int, d time.Duration, text string) (load, error) {
	var made int
	total, err := drive(ctx, 1, d, func(_ context.Context, _ int) (func(context.Context) error, func(), error) {
		return func(ctx context.Context) error {
			made++
			id := "raw-" + strconv.Itoa(made)
			for i := 1; i <= size; i++ {
				m, err := rawMessage(i, text)
				if err != nil {
					return err
				}
				m.Header.Set("Nats-Batch-Id", id)
				m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i))
				if i < size {
					if err := r.log.Conn().PublishMsg(m); err != nil {
						return err
					}
					continue
				}
				m.Header.Set("Nats-Batch-Commit", "1")
				if _, err := r.js.PublishMsg(ctx, m); err != nil {
					return fmt.Errorf("commit a batch: %w", err)
				}
			}
			return nil
		}, func() {}, nil
	})
	total.count *= int64(size)
	return total, err
}
