// info_nce
