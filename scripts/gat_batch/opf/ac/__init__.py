"""AC optimal power flow: a dispatch in numbers in, its optimum by Ipopt out."""
