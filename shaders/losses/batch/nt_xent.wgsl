// nt_xent
