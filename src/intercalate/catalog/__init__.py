"""Where documents live: journal, forwarder, Tiled server, reading, alignment and export."""
