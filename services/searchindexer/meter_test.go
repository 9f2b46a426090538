package searchindexer

import (
	"testing"
	"time"
)

func TestFinish(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lags []uint64 // a second apart
		left time.Duration
		know bool
	}{
		"nothing seen":  {nil, 0, false},
		"current":       {[]uint64{0}, 0, true},
		"one look":      {[]uint64{500}, 0, false},
		"shrinks":       {[]uint64{1000, 900, 800}, 8 * time.Second, true},
		"stands":        {[]uint64{800, 800}, 0, false},
		"grows":         {[]uint64{800, 900}, 0, false},
		"after it grew": {[]uint64{10, 900, 800, 700}, 7 * time.Second, true},
		"after a rest":  {[]uint64{100, 0, 0, 50, 40}, 4 * time.Second, true},
		"done":          {[]uint64{100, 50, 0}, 0, true},
	} {
		var m meter
		began := time.Now()
		for i, lag := range test.lags {
			m.add(began.Add(time.Duration(i)*time.Second), lag)
		}
		if left, know := m.finish(); left != test.left || know != test.know {
			t.Errorf("%s: %s, %v", name, left, know)
		}
	}
	var m meter
	for i := range 10_000 { // it does not grow, and forgets how fast it was long ago
		m.add(time.Unix(int64(i), 0), uint64(100_000-min(i, 5000)*10-max(i-5000, 0)))
	}
	if left, know := m.finish(); !know || left.Round(time.Second) != 45_001*time.Second || len(m.points) > measured {
		t.Errorf("%s, %v, %d points", left, know, len(m.points))
	}
}
