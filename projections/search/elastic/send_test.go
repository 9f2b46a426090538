package elastic

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-desk/tidemark/projections"
)

// shelf is an engine that takes bulk requests.
type shelf struct {
	engine

	took     time.Duration                           // for each request
	whole    func(size int) (int, string)            // status and body for a request as such; 0: it is read
	document func(at string, size int) (int, string) // status and type of error of a document; 0: it is taken

	stateMu sync.Mutex
	has     map[string]int // times that each was taken
	sizes   []int
	now     int // under way
	most    int
}

func newShelf() *shelf {
	s := &shelf{has: map[string]int{}}
	s.answer = s.bulk
	return s
}

func (s *shelf) bulk(req *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	s.stateMu.Lock()
	s.sizes = append(s.sizes, len(raw))
	s.now++
	s.most = max(s.most, s.now)
	s.stateMu.Unlock()
	time.Sleep(s.took) //nolint:forbidigo // of the bubble
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	s.now--
	if s.whole != nil {
		if code, body := s.whole(len(raw)); code != 0 {
			return status(code, body)
		}
	}
	type outcome struct {
		Status int               `json:"status"`
		Error  map[string]string `json:"error,omitempty"`
	}
	var items []map[string]outcome
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var action map[string]struct {
			ID string `json:"_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &action); err != nil || !lines.Scan() {
			return status(http.StatusBadRequest, "{}")
		}
		at, o := action["index"].ID, outcome{Status: http.StatusOK}
		if s.document != nil {
			if code, kind := s.document(at, len(lines.Bytes())); code != 0 {
				o = outcome{Status: code, Error: map[string]string{"type": kind, "reason": "so"}}
			}
		}
		if o.Error == nil {
			s.has[at]++
		}
		items = append(items, map[string]outcome{"index": o})
	}
	body, err := json.Marshal(map[string]any{"items": items})
	if err != nil {
		return nil, err
	}
	return status(http.StatusOK, string(body))
}

// index is an engine on the shelf.
func (s *shelf) index(t *testing.T) *Engine {
	t.Helper()
	client, g, err := connect(Config{URL: "http://engine:9200", Client: &http.Client{Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	return &Engine{client: client, index: "i", sender: newSender(client, nil)}
}

func documents(t *testing.T, n, size int) *bulk {
	t.Helper()
	var b bulk
	for i := range n {
		if err := b.add(fmt.Sprintf("org/c%d", i), uint64(i+1), document{Kind: kindConversation, Text: []string{strings.Repeat("x", size)}}); err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

// all expects that every document was taken, once, but for those that were not to be.
func (s *shelf) all(t *testing.T, n int, but ...string) {
	t.Helper()
	if len(s.has) != n-len(but) {
		t.Errorf("it has %d documents of %d but %v", len(s.has), n, but)
	}
	for at, times := range s.has {
		if times != 1 {
			t.Errorf("%s was taken %d times", at, times)
		}
	}
	for _, at := range but {
		if s.has[at] != 0 {
			t.Errorf("%s was taken", at)
		}
	}
}

// Requests grow while the engine is quick, and shrink when it is slow; several are under way.
func TestSizeFollowsTheEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		e := s.index(t)
		grow := func(times int) {
			for range times {
				s.has = map[string]int{}
				if err := e.write(t.Context(), documents(t, 200, 400<<10)); err != nil {
					t.Fatal(err)
				}
				s.all(t, 200)
			}
		}
		s.took = quick / 2
		grow(3)
		if got := e.sender.size.now(); got != mostSize {
			t.Errorf("a quick engine gets %d bytes", got)
		}
		if s.most < 2 || s.most > inFlight {
			t.Errorf("%d requests at a time", s.most)
		}
		s.took = 2 * slow
		grow(3)
		if got := e.sender.size.now(); got > firstSize {
			t.Errorf("a slow engine gets %d bytes", got)
		}
		s.took = (quick + slow) / 2
		before := e.sender.size.now()
		grow(1)
		if got := e.sender.size.now(); got != before {
			t.Errorf("from an engine that is in time %d bytes became %d", before, got)
		}
	})
}

// A storm of refusals loses nothing, doubles nothing, and is met with smaller requests and pauses.
func TestBusyEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		e := s.index(t)
		requests := 0
		s.whole = func(int) (int, string) {
			if requests++; requests <= 5 {
				return http.StatusTooManyRequests, `{"error":{"type":"es_rejected_execution_exception"},"status":429}`
			}
			return 0, ""
		}
		refused := map[string]int{}
		s.document = func(at string, _ int) (int, string) {
			if refused[at]++; refused[at] <= len(at)%3 {
				return http.StatusTooManyRequests, "es_rejected_execution_exception"
			}
			return 0, ""
		}
		began := time.Now()
		if err := e.write(t.Context(), documents(t, 300, 10<<10)); err != nil {
			t.Fatal(err)
		}
		s.all(t, 300)
		if e.sender.size.now() >= firstSize {
			t.Errorf("a busy engine gets %d bytes", e.sender.size.now())
		}
		if time.Since(began) < shortestWait {
			t.Error("it was asked again at once")
		}
	})
}

// One that refuses for long is left alone for a while: the commit fails and blames nobody.
func TestBusyForLong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		whole    func(int) (int, string)
		document func(string, int) (int, string)
		most     int // requests
	}{
		"busy":    {func(int) (int, string) { return http.StatusTooManyRequests, "{}" }, nil, inFlight * tries},
		"broken":  {func(int) (int, string) { return http.StatusInternalServerError, "{}" }, nil, inFlight * tries},
		"away":    {func(int) (int, string) { return http.StatusServiceUnavailable, "{}" }, nil, inFlight - 1 + tripAfter},
		"blocked": {nil, func(string, int) (int, string) { return http.StatusForbidden, typeBlock }, inFlight},
		"no such": {nil, func(string, int) (int, string) { return http.StatusNotFound, typeNone }, inFlight},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShelf()
				e := s.index(t)
				s.whole, s.document, s.took = test.whole, test.document, time.Millisecond
				err := e.write(t.Context(), documents(t, 100, 10<<10))
				if !errors.Is(err, projections.ErrTransient) {
					t.Errorf("it failed with %v", err)
				}
				if n := len(s.sizes); n == 0 || n > test.most {
					t.Errorf("it was asked %d times, at most %d are of use", n, test.most)
				}
			})
		})
	}
}

// What the engine will never take is blamed, and everything else is written in the same go.
func TestOnlyTheBlamedIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		e := s.index(t)
		s.document = func(at string, _ int) (int, string) {
			switch at {
			case "org/c7", "org/c80":
				return http.StatusBadRequest, "mapper_parsing_exception"
			case "org/c9":
				return http.StatusConflict, "version_conflict_engine_exception"
			}
			return 0, ""
		}
		err := e.write(t.Context(), documents(t, 100, 10<<10))
		var refused *refusedError
		if !errors.As(err, &refused) || errors.Is(err, projections.ErrTransient) || refused.others != 1 || !strings.Contains(err.Error(), "mapper_parsing_exception") {
			t.Errorf("it failed with %v", err)
		}
		s.all(t, 100, "org/c7", "org/c80", "org/c9")
	})
}

// An engine that takes less at a time than we think gets less; one document that is too much by itself is to blame.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		e := s.index(t)
		s.whole = func(size int) (int, string) {
			if size > 200<<10 {
				return http.StatusRequestEntityTooLarge, "{}"
			}
			return 0, ""
		}
		if err := e.write(t.Context(), documents(t, 100, 50<<10)); err != nil {
			t.Fatal(err)
		}
		s.all(t, 100)
		err := e.write(t.Context(), documents(t, 1, 300<<10))
		if _, refused := errors.AsType[*refusedError](err); !refused {
			t.Errorf("it failed with %v", err)
		}
	})
}

// What happens now does not wait for a rebuild.
func TestARebuildLeavesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		e := s.index(t)
		s.took = time.Second
		rebuilt := make(chan error, 8)
		for range cap(rebuilt) {
			go func() {
				b := documents(t, 40, 400<<10)
				b.bulky = true
				rebuilt <- e.write(t.Context(), b)
			}()
		}
		synctest.Wait()
		s.stateMu.Lock()
		under := s.now
		s.stateMu.Unlock()
		if under != inFlight-1 {
			t.Errorf("a rebuild has %d requests at a time", under)
		}
		began := time.Now()
		if err := e.write(t.Context(), documents(t, 1, 10)); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != s.took {
			t.Errorf("a write beside it took %s", waited)
		}
		for range cap(rebuilt) {
			if err := <-rebuilt; err != nil {
				t.Error(err)
			}
		}
	})
}
