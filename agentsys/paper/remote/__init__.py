"""Papers named by number or address: arXiv, OpenReview, and plain addresses of a PDF. Nothing else is ever fetched."""
