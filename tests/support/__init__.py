"""What tests stand on: vectors, clocks, small builders."""
