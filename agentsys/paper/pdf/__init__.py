"""PDF files: a child process reads them with PDFium, the parent checks what it says and finds the structure."""
