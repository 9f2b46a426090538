package elastic

import (
	"fmt"
	"net/http"

	fast "github.com/go-json-experiment/json/v1"
	es "github.com/olivere/elastic/v7"
)

// mostIdle is how many connections are kept for the next requests: as many as search at a time.
const mostIdle = 64

// decoder reads what the engine answers as the client's own would, in less than half of the time.
type decoder struct{}

func (decoder) Decode(data []byte, v any) error { return fast.Unmarshal(data, v) }

// connect makes the client, and the guard that all its requests pass. Nothing is sent yet.
func connect(cfg Config) (*es.Client, *guard, error) {
	through := http.Client{Timeout: requestTimeout}
	if cfg.Client != nil {
		through = *cfg.Client
	} else if usual, ok := http.DefaultTransport.(*http.Transport); ok {
		own := usual.Clone() // connections of its own, which are closed with it
		own.MaxIdleConnsPerHost = mostIdle
		own.DisableCompression = true // an engine needs longer to compress a page of documents than to find it
		through.Transport = own
	}
	g := newGuard(through.Transport, cfg.Metrics, cfg.Logger)
	through.Transport = g
	options := []es.ClientOptionFunc{es.SetURL(cfg.URL), es.SetSniff(false), es.SetHealthcheck(false), es.SetHttpClient(&through), es.SetDecoder(decoder{})}
	if cfg.Username != "" {
		options = append(options, es.SetBasicAuth(cfg.Username, cfg.Password))
	}
	if cfg.APIKey != "" {
		options = append(options, es.SetHeaders(http.Header{"Authorization": {"ApiKey " + cfg.APIKey}}))
	}
	client, err := es.NewClient(options...)
	if err != nil {
		return nil, nil, fmt.Errorf("search engine at %s: %w", cfg.URL, err)
	}
	return client, g, nil
}
