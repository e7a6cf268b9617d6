"""DC optimal power flow: a dispatch in numbers in, its optimum by HiGHS or Ipopt out."""
