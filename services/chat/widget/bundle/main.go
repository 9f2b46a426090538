// Command bundle makes widget.js from the TypeScript in src: go generate ./services/chat/widget.
//
// It is one file without anything of others in it, the same to the byte whoever makes it.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if len(os.Args) != 3 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: bundle SOURCES FILE")
		os.Exit(2)
	}
	script, err := bundle(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[2], script, 0o644) //nolint:gosec // everybody may read what every visitor gets
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bundle makes the script of the sources in a folder.
func bundle(sources string) ([]byte, error) {
	out := api.Build(api.BuildOptions{
		EntryPoints:       []string{filepath.Join(sources, "main.ts")},
		Bundle:            true,
		Platform:          api.PlatformBrowser,
		Format:            api.FormatIIFE,
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		TsconfigRaw:       `{"compilerOptions":{"useDefineForClassFields":false}}`,
		LegalComments:     api.LegalCommentsNone,
		Banner:            map[string]string{"js": "/* Tidemark's chat widget. Apache-2.0. Made by go generate: do not edit. */"},
		Plugins:           []api.Plugin{styles, words},
		Outfile:           "widget.js",
		LogLevel:          api.LogLevelSilent,
	})
	if err := complaints(out.Errors, out.Warnings); err != nil {
		return nil, err
	}
	return out.OutputFiles[0].Contents, nil
}

// styles makes a style sheet a text, without its white space.
var styles = api.Plugin{Name: "styles", Setup: func(build api.PluginBuild) {
	build.OnLoad(api.OnLoadOptions{Filter: `\.css$`}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		raw, err := os.ReadFile(a.Path)
		if err != nil {
			return api.OnLoadResult{}, err
		}
		small := api.Transform(string(raw), api.TransformOptions{
			Loader: api.LoaderCSS, MinifyWhitespace: true, MinifySyntax: true, Charset: api.CharsetUTF8, Sourcefile: a.Path,
			// Any browser that has what the script needs has these too.
			Engines: []api.Engine{{Name: api.EngineChrome, Version: "111"}, {Name: api.EngineSafari, Version: "16.4"}, {Name: api.EngineFirefox, Version: "113"}},
		})
		if err := complaints(small.Errors, small.Warnings); err != nil {
			return api.OnLoadResult{}, err
		}
		text := string(small.Code)
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderText}, nil
	})
}}

// complaints makes what esbuild found wrong one error; a warning is one too.
func complaints(lists ...[]api.Message) error {
	var all []error
	for _, list := range lists {
		for _, m := range list {
			where := ""
			if m.Location != nil {
				where = fmt.Sprintf("%s:%d: ", m.Location.File, m.Location.Line)
			}
			all = append(all, errors.New(where+m.Text))
		}
	}
	return errors.Join(all...)
}
