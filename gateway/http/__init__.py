"""HTTP as the gateway's programs speak it: heads, bodies and answers, and questions to each other."""
