// clip
