package domaintest

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// Fields is what the fields of commands and events are drawn from, by the field's name; for a slice, what its elements
// are drawn from. What is not named here is drawn by its type: ids where the name ends in ID, texts and numbers that
// are good or bad, everything that is inside a struct.
type Fields map[string][]any

var (
	ids        = rapid.SampledFrom([]string{"a", "a", "b", "c", "", "no.id"})
	texts      = rapid.SampledFrom([]string{"", " ", "hello", " Hello ", "hallo", "moin", "two\nlines", "\x00", "\xff"})
	attributes = rapid.MapOf(rapid.SampledFrom([]string{"x", "y", "bad name"}), rapid.SampledFrom([]any{nil, "v", 1.5, 2, true, []any{1}}))
	hours      = rapid.IntRange(-3, 3)
	noon       = time.Date(2019, 5, 15, 12, 0, 0, 0, time.UTC)
)

// anyOf draws one of these types and fills its fields.
func (f Fields) anyOf(t *rapid.T, all []reflect.Type) any {
	names := make([]string, len(all)) // to be read in a failure
	for i, x := range all {
		names[i] = x.Name()
	}
	name := rapid.SampledFrom(names).Draw(t, "type")
	v := reflect.New(all[slices.Index(names, name)]).Elem()
	f.fillParts(t, v, name)
	return v.Interface()
}

func (f Fields) fill(t *rapid.T, v reflect.Value, name string) {
	if values, ok := f[name]; ok {
		x := reflect.ValueOf(rapid.SampledFrom(values).Draw(t, name))
		if x.IsValid() && x.Type() == v.Type() {
			v.Set(x)
			return
		}
		if v.Kind() != reflect.Slice {
			t.Fatalf("%s takes a %s, and its values are of other types", name, v.Type())
		}
	}
	switch x := v.Addr().Interface().(type) {
	case *string:
		if strings.HasSuffix(name, "ID") {
			*x = ids.Draw(t, name)
		} else {
			*x = texts.Draw(t, name)
		}
	case *bool:
		*x = rapid.Bool().Draw(t, name)
	case *int:
		*x = rapid.IntRange(-1, 5).Draw(t, name)
	case *map[string]any:
		*x = attributes.Draw(t, name)
	case *time.Time:
		*x = noon.Add(time.Duration(hours.Draw(t, name)) * time.Hour)
	default:
		f.fillParts(t, v, name)
	}
}

func (f Fields) fillParts(t *rapid.T, v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(t, v.Index(i), name)
		}
	default:
		t.Fatalf("nobody says what the %s %s is drawn from", v.Type(), name)
	}
}
