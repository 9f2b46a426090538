package eventlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-desk/tidemark/internal/fault"
	"github.com/tidemark-desk/tidemark/internal/run"
)

const (
	streamName      = "EVENTS"
	subjectAll      = "ev.>"
	liveAll         = "live.>"
	metaIncarnation = "tidemark.incarnation"
	metaPartitions  = "tidemark.partitions"
	shortest        = 100 * time.Millisecond // window of message ids that the server takes
)

func streamConfig(incarnation string, partitions, replicas int) jetstream.StreamConfig {
	compression := jetstream.S2Compression
	if replicas > 1 {
		// A replica that is killed and comes back may compress a block that it goes on writing to (nats-server 2.15.2), cannot
		// read it again, and follows nothing more.
		compression = jetstream.NoCompression
	}
	return jetstream.StreamConfig{
		Name:               streamName,
		Description:        "Every event of Tidemark: the truth.",
		Subjects:           []string{"ev.*.*.*.*"},
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew, // whatever limit a server imposes: refuse, never drop the oldest
		Storage:            jetstream.FileStorage,
		Compression:        compression,
		Replicas:           replicas,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Duplicates:         shortest, // no message has an id: nothing is to be remembered, nor found again at a start
		DenyDelete:         true,     // single events are never deleted; erasure purges whole subjects
		RePublish:          &jetstream.RePublish{Source: "ev.*.*.*.*", Destination: "live.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}"},
		Metadata:           map[string]string{metaIncarnation: incarnation, metaPartitions: strconv.Itoa(partitions)},
	}
}

// ensureStream finds the stream or makes it. Two processes may come here at once: one makes it, the other finds it.
func (l *Log) ensureStream(ctx context.Context) (*jetstream.StreamInfo, error) {
	for {
		info, err := l.findOrCreate(ctx)
		if err == nil {
			return info, l.checkStream(info)
		}
		if isCode(err, codeSubjectsOverlap) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
			errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			return nil, ErrUnavailable.WithCause(fmt.Errorf("make stream %s: %w", streamName, err)).
				WithHint("the NATS account needs JetStream, and no other stream on ev.>")
		}
		// A cluster that has just started has no leader yet, and knows its peers only after a while.
		if waitErr := run.Pause(ctx, retryWait); waitErr != nil {
			return nil, ErrUnavailable.WithCause(fmt.Errorf("make stream %s with %d replicas: %w", streamName, max(1, l.config.Replicas), err)).
				WithHint("is JetStream enabled there, with enough servers for the replicas?")
		}
	}
}

func (l *Log) findOrCreate(ctx context.Context) (*jetstream.StreamInfo, error) {
	// A request that a cluster got before it chose a leader is never answered.
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	info, err := l.streamInfo(ctx)
	if err == nil || !isCode(err, codeStreamNotFound) {
		return info, err
	}
	if l.config.Incarnation != "" {
		return nil, fmt.Errorf("there is no stream %s, and incarnation %q is expected", streamName, l.config.Incarnation)
	}
	js, err := jetstream.New(l.conn)
	if err != nil {
		return nil, err
	}
	partitions := l.config.Partitions
	if partitions == 0 {
		partitions = DefaultPartitions
	}
	incarnation := strings.ToLower(rand.Text())[:12]
	s, err := js.CreateStream(ctx, streamConfig(incarnation, partitions, max(1, l.config.Replicas)))
	if err != nil {
		if isCode(err, codeStreamNameInUse) {
			return l.streamInfo(ctx)
		}
		return nil, err
	}
	return s.CachedInfo(), nil
}

func (l *Log) streamInfo(ctx context.Context) (*jetstream.StreamInfo, error) {
	js, err := jetstream.New(l.conn)
	if err != nil {
		return nil, err
	}
	s, err := js.Stream(ctx, streamName)
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// checkStream compares what is there with what must be there; each answer says what to do.
func (l *Log) checkStream(info *jetstream.StreamInfo) error {
	c := info.Config
	incarnation := c.Metadata[metaIncarnation]
	partitions, err := strconv.Atoi(c.Metadata[metaPartitions])
	if incarnation == "" || err != nil || partitions < 1 {
		return fmt.Errorf("stream %s was not made by Tidemark: remove it, or use another NATS account", streamName)
	}
	if l.config.Incarnation != "" && l.config.Incarnation != incarnation {
		return fmt.Errorf("the log's incarnation is %q and %q is expected: this is another log; give the right URL or data directory",
			incarnation, l.config.Incarnation)
	}
	if l.config.Partitions != 0 && l.config.Partitions != partitions {
		return fault.Newf(fault.Invalid, "partitions_fixed", "the log has %d partitions and %d were asked for", partitions, l.config.Partitions).
			WithHint("their number is fixed when the log is made: leave --partitions out, or start with %d", partitions)
	}
	l.partitions = partitions
	want := streamConfig(incarnation, partitions, c.Replicas)
	var wrong []string
	check := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	check(len(c.Subjects) == 1 && c.Subjects[0] == want.Subjects[0], "subjects must be "+want.Subjects[0])
	check(c.Retention == want.Retention, "retention must be limits")
	check(c.Storage == want.Storage, "storage must be file")
	check(c.MaxAge == 0 && c.MaxBytes <= 0 && c.MaxMsgs <= 0 && c.MaxMsgsPerSubject <= 0, "there must be no limit of age, size or number")
	check(c.AllowDirect, "allow_direct must be on")
	check(c.AllowAtomicPublish, "allow_atomic must be on")
	check(!c.DenyPurge, "deny_purge must be off")
	check(!c.NoAck && !c.Sealed, "no_ack and sealed must be off")
	check(!c.AllowMsgTTL && !c.AllowMsgSchedules, "message TTLs and schedules must be off")
	check(c.PersistMode == jetstream.DefaultPersistMode, "persist_mode must be default")
	check(c.RePublish != nil && c.RePublish.Source == want.RePublish.Source &&
		c.RePublish.Destination == want.RePublish.Destination && !c.RePublish.HeadersOnly, "republish must be to "+want.RePublish.Destination)
	if len(wrong) > 0 {
		return fmt.Errorf("stream %s has other settings than Tidemark needs: %s (mend it with `nats stream edit`)", streamName, strings.Join(wrong, "; "))
	}
	if l.config.Replicas > 1 && c.Replicas != l.config.Replicas {
		l.logger.Warn("the stream has another number of replicas than configured", "replicas", c.Replicas, "configured", l.config.Replicas)
	}
	return nil
}

// isCode tells whether the server answered with this error number.
func isCode(err error, code int) bool {
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		return int(e.ErrorCode) == code
	}
	if e, ok := errors.AsType[jetstream.JetStreamError](err); ok && e.APIError() != nil {
		return int(e.APIError().ErrorCode) == code
	}
	return false
}

// lastError is an error that several goroutines may set.
type lastError struct {
	mu  sync.Mutex
	err error
}

func (e *lastError) set(err error) { e.mu.Lock(); e.err = err; e.mu.Unlock() }
func (e *lastError) get() error    { e.mu.Lock(); defer e.mu.Unlock(); return e.err }
