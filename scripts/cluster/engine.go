package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/tidemark-desk/tidemark/internal/run"
)

// The search engine looks for no port above 9298.
const (
	firstEnginePort = 9240
	lastEnginePort  = 9289
)

// findEngine makes sure that the search engine can be run; false, with why, when it cannot: the cluster then has the
// embedded index.
func (c *cluster) findEngine(ctx context.Context) bool {
	if c.engine == "" || c.engine == "none" {
		return false
	}
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			c.logger.WarnContext(ctx, "searches have the embedded index: for a search engine install Java and Maven (default-jre-headless and maven)", "lacking", program)
			return false
		}
	}
	c.logger.InfoContext(ctx, "fetching the search engine, if it is not here yet", "engine", c.engine)
	if out, err := exec.CommandContext(ctx, c.script, "fetch", c.engine).CombinedOutput(); err != nil { //nolint:gosec // what the operator gave
		c.logger.WarnContext(ctx, "the search engine cannot be fetched: searches have the embedded index", "engine", c.engine, "error", err, "said", string(out))
		return false
	}
	return true
}

// startEngine runs the search engine, and runs it again when it dies.
func (c *cluster) startEngine(ctx context.Context, group *run.Group) error {
	script, err := filepath.Abs(c.script)
	if err != nil {
		return err
	}
	data, err := filepath.Abs(filepath.Join(c.dir, c.engine))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	for port := firstEnginePort; port <= lastEnginePort; port++ {
		l, err := listen(ctx, port)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return err
		}
		c.mu.Lock()
		c.layout.Search = fmt.Sprintf("http://127.0.0.1:%d", port)
		c.mu.Unlock()
		group.Go(c.engine, c.process(c.engine, script, "run", c.engine, data, strconv.Itoa(port)))
		return nil
	}
	return errors.New("find a port for the search engine: none from 9240 to 9289 is free")
}
