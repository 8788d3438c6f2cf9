package httpd

func hssDialects(*Server) []*dialect { return nil }
