"""PURE: what members say to each other by way of a host that must not understand it, and what the host allows.

`lobby` is a member's side, `hub` and `switchboard` are the host's; all three get `now` and give back what is to be
done. What a host that lies can do to members is refuse service: `envelope` tells why.
"""
