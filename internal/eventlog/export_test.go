package eventlog

import "fmt"

// Measured tells what the appender has learnt; only when it is at rest.
func Measured(l *Log) string {
	c := &l.appender.cross
	return fmt.Sprintf("plain %.2f ms, batch %.2f ms, line %.1f, load %.1f", c.plain*1e3, c.batch*1e3, c.line(), l.appender.load)
}

// Refusal is what a caller is told when the server refuses with this number.
func Refusal(code int) error { return (&apiError{ErrCode: code}).refusal() }
