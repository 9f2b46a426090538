package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// recordsFile is the file of two-sided dialogues in the directory of real conversations.
const recordsFile = "dialogues.jsonl.gz"

// The shape of those dialogues, for who has no such directory.
const (
	madeUpConversations = 10_139
	madeUpMessages      = 182_066
)

// records puts conversations with about so many messages (0: all) into a file and counts what is in it.
func records(o Options, path string, most int) (messages int, source string, err error) {
	if most <= 0 {
		most = madeUpMessages
	}
	in, err := os.Open(filepath.Join(o.Data, recordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		messages, err = madeUp(path, most)
		return messages, "made-up messages", err
	}
	if err != nil {
		return 0, "", fmt.Errorf("open the real conversations: %w", err)
	}
	defer func() { _ = in.Close() }()
	unpacked, err := gzip.NewReader(bufio.NewReader(in))
	if err != nil {
		return 0, "", fmt.Errorf("read %s: %w", in.Name(), err)
	}
	var out bytes.Buffer
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, 1<<20)
	for messages < most && lines.Scan() {
		messages += bytes.Count(lines.Bytes(), []byte(`"from":`))
		out.Write(lines.Bytes())
		out.WriteByte('\n')
	}
	if err := lines.Err(); err != nil {
		return 0, "", fmt.Errorf("read %s: %w", in.Name(), err)
	}
	return messages, "real messages", os.WriteFile(path, out.Bytes(), 0o600)
}

// madeUp writes conversations of the same shape, all of them the same ones in every run.
func madeUp(path string, most int) (messages int, err error) {
	type line struct {
		At   time.Time `json:"at"`
		From string    `json:"from"`
		Text string    `json:"text"`
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	for n := 0; messages < most; n++ {
		said := make([]line, madeUpMessages/madeUpConversations)
		for i := range said {
			said[i] = line{at.Add(time.Duration(n*60+i*25) * time.Second), []string{"customer", "agent"}[i%2], sampleText}
		}
		messages += len(said)
		err := encoder.Encode(map[string]any{
			"id": fmt.Sprintf("made-up-%d", n), "channel": "chat", "company": "Restaurants", "messages": said,
			"customer": map[string]any{"name": fmt.Sprintf("Visitor %d", n), "email": fmt.Sprintf("visitor-%d@example.com", n)},
		})
		if err != nil {
			return 0, fmt.Errorf("make up a conversation: %w", err)
		}
	}
	return messages, os.WriteFile(path, out.Bytes(), 0o600)
}
