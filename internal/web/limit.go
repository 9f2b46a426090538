package web

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limit is how much one caller may ask: on average PerSecond, and Burst at once.
type Limit struct {
	PerSecond float64
	Burst     int
}

// forgetAfter is how long an idle caller's bucket is kept at least; it is full again by then.
const forgetAfter = time.Minute

// Limiter holds one bucket for each caller. The zero Limit lets everything through.
type Limiter struct {
	limit  Limit
	policy string

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// NewLimiter makes a limiter; every caller has the same limit.
func NewLimiter(l Limit) *Limiter {
	if l.PerSecond > 0 {
		l.Burst = max(l.Burst, 1)
	}
	window := 1
	if l.PerSecond > 0 {
		window = max(1, int(math.Ceil(float64(l.Burst)/l.PerSecond)))
	}
	return &Limiter{
		limit:   l,
		policy:  `"default";q=` + strconv.Itoa(l.Burst) + ";w=" + strconv.Itoa(window),
		buckets: map[string]*bucket{},
	}
}

// Quota is what a caller has left.
type Quota struct {
	Limit, Remaining int
	Reset            time.Duration // until the bucket is full again
	RetryAfter       time.Duration // until the next request passes; zero when this one did
}

// Take takes one request from the caller's bucket. The quota's RetryAfter is above zero when there was none left.
func (l *Limiter) Take(caller string, now time.Time) Quota {
	if l.limit.PerSecond <= 0 {
		return Quota{}
	}
	limiter := l.bucket(caller, now)
	q := Quota{Limit: l.limit.Burst}
	if !limiter.AllowN(now, 1) {
		missing := 1 - limiter.TokensAt(now)
		q.RetryAfter = max(time.Duration(missing/l.limit.PerSecond*float64(time.Second)), time.Millisecond)
	}
	left := max(limiter.TokensAt(now), 0)
	q.Remaining = int(left)
	q.Reset = time.Duration((float64(l.limit.Burst) - left) / l.limit.PerSecond * float64(time.Second))
	return q
}

func (l *Limiter) bucket(caller string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) > forgetAfter {
		full := max(forgetAfter, time.Duration(float64(l.limit.Burst)/l.limit.PerSecond*float64(time.Second)))
		for name, b := range l.buckets {
			if now.Sub(b.used) > full {
				delete(l.buckets, name)
			}
		}
		l.swept = now
	}
	b := l.buckets[caller]
	if b == nil {
		b = &bucket{limiter: rate.NewLimiter(rate.Limit(l.limit.PerSecond), l.limit.Burst)}
		l.buckets[caller] = b
	}
	b.used = now
	return b.limiter
}

// Check takes one request for the caller, sets the rate limit headers, and is ErrRateLimited when none is left.
//
// The headers are the three fields RateLimit-Limit, -Remaining and -Reset (seconds) that clients know, from
// draft-ietf-httpapi-ratelimit-headers-06, and RateLimit and RateLimit-Policy as in -10.
func (l *Limiter) Check(h http.Header, caller string, now time.Time) error {
	if l.limit.PerSecond <= 0 {
		return nil
	}
	q := l.Take(caller, now)
	remaining := strconv.Itoa(q.Remaining)
	reset := strconv.Itoa(int(math.Ceil(q.Reset.Seconds())))
	h["Ratelimit-Limit"] = []string{strconv.Itoa(q.Limit)}
	h["Ratelimit-Remaining"] = []string{remaining}
	h["Ratelimit-Reset"] = []string{reset}
	h["Ratelimit"] = []string{`"default";r=` + remaining + ";t=" + reset}
	h["Ratelimit-Policy"] = []string{l.policy}
	if q.RetryAfter > 0 {
		return ErrRateLimited.WithRetryAfter(q.RetryAfter)
	}
	return nil
}
