package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// words makes each language but the first one text, in the order of the first one's names: names that stand there eight
// times are a tenth of what a visitor fetches of them.
var words = api.Plugin{Name: "words", Setup: func(build api.PluginBuild) {
	build.OnLoad(api.OnLoadOptions{Filter: `languages\.ts$`}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		raw, err := os.ReadFile(a.Path)
		if err != nil {
			return api.OnLoadResult{}, err
		}
		text, err := joined(string(raw))
		if err != nil {
			return api.OnLoadResult{}, fmt.Errorf("%s: %w", a.Path, err)
		}
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderTS}, nil
	})
}}

var (
	firstLanguage = regexp.MustCompile(`(?s)const en = \{\n(.*?)\n\};\n`)
	otherLanguage = regexp.MustCompile(`(?s)const (\w\w): Words = \{\n(.*?)\n\};\n`)
	word          = regexp.MustCompile(`(\w+): '([^']*)',`)
)

const separator = "|"

func joined(source string) (string, error) {
	first := firstLanguage.FindStringSubmatchIndex(source)
	if first == nil {
		return "", errors.New("there is no first language")
	}
	names := word.FindAllStringSubmatch(source[first[2]:first[3]], -1)
	var wrong error
	rest := otherLanguage.ReplaceAllStringFunc(source[first[1]:], func(language string) string {
		part := otherLanguage.FindStringSubmatch(language)
		said := map[string]string{}
		for _, w := range word.FindAllStringSubmatch(part[2], -1) {
			said[w[1]] = w[2]
		}
		all := make([]string, 0, len(names))
		for _, n := range names {
			text, there := said[n[1]]
			if !there || len(said) != len(names) || strings.ContainsAny(text, separator+`\`) {
				wrong = fmt.Errorf("%s does not say %q as it has to be said here", part[1], n[1])
			}
			all = append(all, text)
		}
		return fmt.Sprintf("const %s: Words = words(%s);\n", part[1], strconv.Quote(strings.Join(all, separator)))
	})
	const spread = `const words = (text: string): Words => { const all = text.split("` + separator + `"); ` +
		`return Object.fromEntries(Object.keys(en).map((name, i) => [name, all[i]])) as Words; };` + "\n"
	return source[:first[1]] + spread + rest, wrong
}
