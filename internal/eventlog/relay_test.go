package eventlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// relay is a TCP proxy with faults.
type relay struct {
	tb       testing.TB
	proxy    *toxiproxy.Proxy
	upstream string
}

func newRelay(tb testing.TB, upstream string) *relay {
	tb.Helper()
	registerCutBefore()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	r := &relay{tb: tb, upstream: strings.TrimPrefix(upstream, "nats://")}
	r.proxy = toxiproxy.NewProxy(server, "log", "127.0.0.1:0", r.upstream)
	r.start()
	tb.Cleanup(r.close)
	return r
}

func (r *relay) url() string { return "nats://" + r.proxy.Listen }

func (r *relay) start() {
	if err := r.proxy.Start(); err != nil {
		r.tb.Errorf("start the relay: %v", err)
	}
}

// close breaks every connection and takes no more.
func (r *relay) close() { r.proxy.Stop() }

// cut breaks every connection; what was muted is heard again afterwards.
func (r *relay) cut() {
	r.proxy.Stop()
	r.proxy.Toxics.ResetToxics(context.WithoutCancel(r.tb.Context()))
	r.start()
}

// mute loses every answer of the server.
func (r *relay) mute() {
	r.add(toxics.ToxicWrapper{Type: "timeout", Stream: "downstream", Toxicity: 1, Toxic: &toxics.TimeoutToxic{}})
}

// cutBefore breaks a connection, once, before these bytes pass to the server.
func (r *relay) cutBefore(marker string) {
	r.add(toxics.ToxicWrapper{Type: typeCutBefore, Name: typeCutBefore + marker, Stream: "upstream", Toxicity: 1, Toxic: &cutBefore{Marker: marker}})
}

func (r *relay) add(toxic toxics.ToxicWrapper) {
	raw, err := json.Marshal(toxic)
	if err == nil {
		_, err = r.proxy.Toxics.AddToxicJson(bytes.NewReader(raw))
	}
	if err != nil {
		r.tb.Errorf("make the relay faulty: %v", err)
	}
}

const typeCutBefore = "cut_before"

var registerCutBefore = sync.OnceFunc(func() { toxics.Register(typeCutBefore, new(cutBefore)) })

// cutBefore is a toxic that passes everything on until the marker comes.
type cutBefore struct {
	Marker string `json:"marker"`
	once   sync.Once
}

// Pipe passes on what one side of a connection sends.
func (c *cutBefore) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			cut := false
			if i := bytes.Index(chunk.Data, []byte(c.Marker)); i >= 0 {
				c.once.Do(func() { cut = true })
				if cut {
					chunk = &stream.StreamChunk{Data: chunk.Data[:i], Timestamp: chunk.Timestamp}
				}
			}
			stub.Output <- chunk
			if cut {
				stub.Close()
				return
			}
		}
	}
}
