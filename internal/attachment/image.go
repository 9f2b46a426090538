package attachment

import (
	"bufio"
	"context"
	"fmt"
	"image"
	_ "image/gif" // the decoders of what browsers are shown
	_ "image/jpeg"
	_ "image/png"
	"io"

	_ "golang.org/x/image/webp"
)

// maxPixels is how large an image may be that is decoded: a photo of a telephone is, and a bomb of some bytes that would
// fill the memory is not. One image is decoded at a time.
const maxPixels = 1 << 24

// shown tells whether browsers are shown images of this type, once they were decoded.
func shown(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// decode tells how large an image is. What cannot be decoded, is of another format than its first bytes say, or has too
// many pixels, is no image: 0, 0. An error is only the end of ctx.
func (f *Files) decode(ctx context.Context, r io.ReadSeeker, mediaType string) (width, height int, err error) {
	if err := f.decoding.Acquire(ctx, 1); err != nil {
		return 0, 0, fmt.Errorf("wait to decode an image: %w", err)
	}
	defer f.decoding.Release(1)
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 0, 0, errAway.WithCause(err)
	}
	config, format, err := image.DecodeConfig(bufio.NewReader(r))
	if err != nil || "image/"+format != mediaType || config.Width < 1 || config.Height < 1 || config.Width > maxPixels/config.Height {
		return 0, 0, nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return 0, 0, errAway.WithCause(err)
	}
	if !decodes(bufio.NewReader(r)) {
		return 0, 0, nil
	}
	return config.Width, config.Height, nil
}

// decodes tells whether all of an image can be read. A decoder that panics has not read it.
func decodes(r io.Reader) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	_, _, err := image.Decode(r)
	return err == nil
}
