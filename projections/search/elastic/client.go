package elastic

import (
	"fmt"
	"net/http"

	es "github.com/olivere/elastic/v7"
)

// connect makes the client, and the guard that all its requests pass. Nothing is sent yet.
func connect(cfg Config) (*es.Client, *guard, error) {
	through := http.Client{Timeout: requestTimeout}
	if cfg.Client != nil {
		through = *cfg.Client
	} else if usual, ok := http.DefaultTransport.(*http.Transport); ok {
		through.Transport = usual.Clone() // connections of its own, which are closed with it
	}
	g := newGuard(through.Transport, cfg.Metrics, cfg.Logger)
	through.Transport = g
	options := []es.ClientOptionFunc{es.SetURL(cfg.URL), es.SetSniff(false), es.SetHealthcheck(false), es.SetHttpClient(&through)}
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
