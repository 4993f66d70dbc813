"""From a source's pages to one immutable snapshot."""
