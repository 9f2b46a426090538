package attachment

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/tidemark-desk/tidemark/events"
)

// The two kinds of token, by what they begin with, and what the keys are for under which they are signed.
const (
	ticketPrefix  = "tdmf1_"
	linkPrefix    = "tdml1_"
	ticketPurpose = "attachment-ticket"
	linkPurpose   = "attachment-link"
)

const (
	maxToken   = 4096           // bytes that are decoded at all
	ticketLife = 24 * time.Hour // of an upload that is in no message
	linkLife   = 2 * time.Hour  // of a link, and up to linkRound less
	linkRound  = time.Hour      // links of one hour are equal, so that browsers keep what they have loaded
)

// ticket is what the id of an upload says.
type ticket struct {
	Org          string `json:"o"`
	Conversation string `json:"c"`
	By           string `json:"b"`
	Hash         string `json:"h"`
	Name         string `json:"n"`
	Type         string `json:"t"`
	Size         int    `json:"s"`
	Width        int    `json:"w,omitempty"`
	Height       int    `json:"g,omitempty"`
	Expires      int64  `json:"x"` // seconds since 1970
}

func (t ticket) org() string { return t.Org }

// link is what a link says. Its type is empty unless a browser may show the file.
type link struct {
	Org     string `json:"o"`
	Folder  string `json:"f"`
	Hash    string `json:"h"`
	Name    string `json:"n"`
	Type    string `json:"t,omitempty"`
	Expires int64  `json:"x"`
}

func (l link) org() string { return l.Org }

// sign makes a token: JSON and its HMAC-SHA256. A key has one purpose, so that no token passes for one of another kind.
func sign(prefix string, key []byte, what any) string {
	raw, _ := json.Marshal(what) //nolint:errchkjson // texts and numbers always encode
	payload := base64.RawURLEncoding.EncodeToString(raw)
	return prefix + payload + "." + base64.RawURLEncoding.EncodeToString(mac(prefix, key, payload))
}

func mac(prefix string, key []byte, payload string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(prefix + payload))
	return h.Sum(nil)
}

// verify reads a token. The key is asked for by the org that it names, and nothing of it is believed before the HMAC
// holds. Whether its time is over is for the caller to look at.
func verify[T interface{ org() string }](prefix, token string, key func(org string) ([]byte, bool)) (what T, ok bool) {
	var none T
	rest, ok := strings.CutPrefix(token, prefix)
	if !ok || len(token) > maxToken {
		return none, false
	}
	payload, signature, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil {
		return none, false
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || json.Unmarshal(raw, &what) != nil || !events.ValidID(what.org()) {
		return none, false
	}
	secret, known := key(what.org())
	if !known || !hmac.Equal(sum, mac(prefix, secret, payload)) {
		return none, false
	}
	return what, true
}

// issue makes the id of an upload.
func (f *Files) issue(o Owner, a events.Attachment) (string, bool) {
	key, ok := f.key(o.Org, ticketPurpose)
	if !ok {
		return "", false
	}
	return sign(ticketPrefix, key, ticket{
		Org: o.Org, Conversation: o.Conversation, By: o.By, Hash: a.ID, Name: a.Name, Type: a.Type, Size: a.Size,
		Width: a.Width, Height: a.Height, Expires: f.Clock().Add(ticketLife).Unix(),
	}), true
}

// Redeem gives the files that the ids of uploads stand for. With ErrExpired it gives them too: a message that was taken
// in time is answered as the first time whenever it is sent again. Any other error is ErrUnknown.
func (f *Files) Redeem(o Owner, ids []string) ([]events.Attachment, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	now := f.Clock().Unix()
	var late error
	out := make([]events.Attachment, 0, len(ids))
	for _, id := range ids {
		t, ok := verify[ticket](ticketPrefix, id, func(org string) ([]byte, bool) { return f.key(org, ticketPurpose) })
		if !ok || (Owner{Org: t.Org, Conversation: t.Conversation, By: t.By}) != o {
			return nil, ErrUnknown
		}
		if now >= t.Expires {
			late = ErrExpired
		}
		out = append(out, events.Attachment{ID: t.Hash, Name: t.Name, Type: t.Type, Size: t.Size, Width: t.Width, Height: t.Height})
	}
	return out, late
}

// link is where a file can be read for some hours.
func (f *Files) link(org, folder string, a events.Attachment) string {
	key, ok := f.key(org, linkPurpose)
	if !ok {
		return ""
	}
	l := link{Org: org, Folder: folder, Hash: a.ID, Name: a.Name, Expires: f.Clock().Truncate(linkRound).Add(linkLife).Unix()}
	if a.Width > 0 && shown(a.Type) {
		l.Type = a.Type
	}
	return Path + sign(linkPrefix, key, l)
}
