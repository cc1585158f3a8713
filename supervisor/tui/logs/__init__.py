"""Lines of logs in memory: store, filters, paint. No Textual."""
