package attachment_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/tidemark-desk/tidemark/internal/attachment"
	"github.com/tidemark-desk/tidemark/internal/blob"
	"github.com/tidemark-desk/tidemark/internal/domain/text"
)

// FuzzReceive: whatever is sent as a file is refused, or kept as it is under a harmless name; only an image has a size that
// browsers show it in.
func FuzzReceive(f *testing.F) {
	f.Add("photo.png", []byte("\x89PNG\r\n\x1a\n"))
	f.Add("../../etc/passwd", []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"))
	f.Add("page.html", []byte("<html><script>alert(1)</script>"))
	f.Add("bomb.gif", []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00"))
	f.Add("a\u202egnp.exe", []byte("RIFF\x00\x00\x00\x00WEBPVP8 "))
	f.Add("", []byte("\xff\xd8\xff\xe0"))
	f.Add("x.svg", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`))
	store, err := blob.NewDir(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	files := attachment.New(attachment.Deps{Store: store, Directory: orgs{}})
	owner := attachment.Owner{Org: "acme", Conversation: "c1", By: "desk"}
	there := func(context.Context) error { return nil }
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.URL.RawQuery = url.Values{"name": {name}}.Encode()
		got, err := files.Receive(httptest.NewRecorder(), r, owner, r.URL.Query().Get("name"), there)
		if err != nil {
			if len(body) > 0 {
				t.Fatalf("%q was refused: %v", body, err)
			}
			return
		}
		shown := got.Width > 0
		if got.Name != text.FileName(name) || got.Size != len(body) || shown != (got.Height > 0) {
			t.Fatalf("%q %q was kept as %+v", name, body, got)
		}
		switch got.Type {
		case "image/png", "image/jpeg", "image/gif", "image/webp":
		default:
			if shown {
				t.Fatalf("%q is shown as %+v", body, got)
			}
		}
		list, err := files.Redeem(owner, []string{got.ID})
		if err != nil || len(list) != 1 || list[0].Size != got.Size {
			t.Fatalf("%q cannot be sent: %v %v", name, list, err)
		}
	})
}
